"""One compiled variant: its programs, what a call looks at and does, what is shown of it."""
