"""The emulator: program -> cycles, utilisation and where the time goes."""
