"""Column lineage of what an asset's function builds, read from its logical plan on whichever engine it was built."""
