"""The fault tests import their own modules and the harness above."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
