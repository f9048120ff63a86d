"""The rooms behind `flambeau.save` and `flambeau.load`: PyTorch's file format, read and written.

- `atomic_file`: a file that appears whole or not at all
- `zip_layout`: the records of a zip archive, byte by byte
- `zip_writer`: an archive laid out as PyTorch lays it out
- `zip_reader`: an archive read with every size and checksum held against the file
- `pickler`: objects to pickle, under PyTorch's module names
- `names`: PyTorch's names for flambeau's objects, and back
- `safe_unpickler`: the pickle machine of `weights_only=True`: it never runs foreign code
- `allow_list`: what that machine may build
- `storages`: storage records to storages: device, byte order, memory map
- `legacy`: the stream format of PyTorch before 1.6, read only
"""
