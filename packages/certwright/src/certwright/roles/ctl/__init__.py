"""`certwright ctl`: what a person asks a store and tells it, as cmctl does.

Every command takes a store and gives text; which store it is, is the command line's choice.
"""
