"""What is measured of machine and model beside accuracy."""
