# Short names for what start.py does; nothing here is needed.
.PHONY: open test quick build

open:
	python3 start.py
test:
	python3 start.py test
quick:
	python3 start.py test --quick
build:
	python3 start.py build
