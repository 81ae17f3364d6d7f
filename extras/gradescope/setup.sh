#!/usr/bin/env bash
# Runs once, as root, when Gradescope builds the autograder's image.
# The zip holds these two files and the course's wheel or checkout beside them.
set -euo pipefail

apt-get update
apt-get install -y python3 python3-venv python3-pip
python3 -m venv /opt/course
# torch's plain build is enough: nothing here has a graphics card
/opt/course/bin/pip install torch==2.13.0 || /opt/course/bin/pip install torch
/opt/course/bin/pip install /autograder/source/minitransformer*
chmod -R go-rwx /autograder/source
