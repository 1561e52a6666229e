"""What an anonymization does to detectors: figures of merit and their protocols."""
