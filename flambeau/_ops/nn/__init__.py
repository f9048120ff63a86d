"""The bodies of torch.nn.functional, one file a family."""
