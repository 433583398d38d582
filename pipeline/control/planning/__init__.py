"""What runs where: nodes and wishes in, a plan out; when another one is due."""
