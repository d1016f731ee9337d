"""``python -m bench`` is the ``bench`` command."""

if __name__ == "__main__":  # workers import this module again
    from bench.cli import main

    main()
