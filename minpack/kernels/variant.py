"""Write the sources of the blocked factorisation as one file, with modules of other names.

usage: variant.py SUFFIX OUTPUT SOURCE...

The compiler then makes a second set of symbols of them, for another instruction set. What they call
in C is another function, too.
"""

import re
import sys
from pathlib import Path

suffix, output, *sources = sys.argv[1:]
text = "\n".join(Path(source).read_text(encoding="utf-8") for source in sources)
renamed = re.sub(r"^((?:end )?module|use) (qr_\w+)\b", rf"\1 \2{suffix}", text, flags=re.M)
renamed = re.sub(r'name="(\w+)"', rf'name="\1{suffix}"', renamed)
Path(output).write_text(renamed, encoding="utf-8")
