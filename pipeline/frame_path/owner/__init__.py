"""The owner of cameras: reads, samples, asks the model, and answers for each frame until it is settled."""
