"""Write the sources of the blocked factorisation as one file, with modules of other names.

usage: variant.py SUFFIX OUTPUT SOURCE...

The compiler then makes a second set of symbols of them, for another instruction set.
"""

import re
import sys
from pathlib import Path

suffix, output, *sources = sys.argv[1:]
names = "|".join(Path(source).stem for source in sources)
text = "\n".join(Path(source).read_text(encoding="utf-8") for source in sources)
renamed = re.sub(rf"^((?:end )?module|use) ({names})\b", rf"\1 \2_{suffix}", text, flags=re.M)
Path(output).write_text(renamed, encoding="utf-8")
