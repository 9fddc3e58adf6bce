"""The report: one self-contained page with the verdict, pictures, curves and the model's lineage."""
