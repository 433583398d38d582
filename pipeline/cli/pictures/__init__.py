"""Pictures that people look at: drawn here, one piece of code each, as uint8 (H, W, 3) RGB."""
