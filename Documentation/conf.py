# SPDX-License-Identifier: GPL-2.0
# sphinx-build -W -b html Documentation build/html
project = 'weft'
copyright = 'the weft authors, GPL-2.0'
extensions = []
exclude_patterns = []
master_doc = 'index'
highlight_language = 'none'
html_theme = 'alabaster'
html_theme_options = {'page_width': '1080px'}
html_show_sphinx = False
