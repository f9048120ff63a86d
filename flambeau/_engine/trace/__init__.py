"""Events, recording, guards, replay, side exits: what turns a loop into a program."""
