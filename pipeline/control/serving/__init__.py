"""The pages over HTTP: health, metrics, status, and what people ask of a running pipeline."""
