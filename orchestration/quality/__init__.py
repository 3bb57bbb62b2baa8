"""What SQL cannot do for data quality: the expectations, judged when a profile changed, and their Data Docs."""
