"""Programs on OpenCL devices: what boards there are, images of programs, runs, measurements."""
