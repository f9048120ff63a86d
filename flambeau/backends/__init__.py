"""Libraries behind PyTorch: asked for, they are not here; their switches are accepted."""

from flambeau.backends import cpu, cuda, cudnn, mkl, mkldnn, mps, openmp, opt_einsum
