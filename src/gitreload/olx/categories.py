"""The kinds of blocks that the platform itself has, over the years, and how it reads them.

https://github.com/openedx/openedx-platform: the entry points `xblock.v1` in setup.py, and
xmodule/xml_block.py for what a pointer is.
"""

from __future__ import annotations

# Their child elements are blocks.
CONTAINERS = frozenset(
    {
        "chapter",
        "conditional",
        "course",
        "itembank",
        "library_content",
        "problemset",
        "randomize",
        "sequential",
        "split_test",
        "vertical",
        "videosequence",
        "wrapper",
    }
)
# What they hold is their own, whatever it looks like.
LEAVES = frozenset(
    {
        "about",
        "annotatable",
        "combinedopenended",
        "course_info",
        "customtag",
        "discussion",
        "html",
        "imageannotation",
        "lti",
        "peergrading",
        "poll_question",
        "problem",
        "static_tab",
        "textannotation",
        "video",
        "videoalpha",
        "videoannotation",
        "videodev",
        "word_cloud",
    }
)
POINTED_TO = (CONTAINERS | LEAVES) - {"discussion"}
"""A tag of these with nothing but a url_name points to a file. A discussion need not have one."""

# Of these a second one with the same name gets a made-up name (make_name_unique in
# xmodule/modulestore/xml.py), under which no file is found.
NEEDS_OWN_NAME = frozenset(
    {"chapter", "course", "poll_question", "problem", "sequential", "vertical", "video"}
)

# In a container, and no block.
NO_BLOCKS = frozenset({"meta", "show", "textbook", "wiki"})
