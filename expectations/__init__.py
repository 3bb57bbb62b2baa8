"""Great Expectations suites as data; run.py judges small profiles that SQL computed."""
