"""A small course of the project's own that has one of everything that OLX knows."""

from __future__ import annotations

from pathlib import Path

KEY = "Brook/Geo2/2026"

_FILES = {
    "course.xml": '<course url_name="2026" org="Brook" course="Geo2"/>\n',
    "course/2026.xml": """\
<course display_name="Lakes" language="en" advanced_modules="[&quot;pond&quot;]">
  <chapter url_name="shores"/>
  <chapter url_name="ice"/>
  <wiki slug="Brook.Geo2.2026"/>
  <textbook title="Lakes" book_url="https://books.example/lakes/"/>
</course>
""",
    "chapter/shores.xml": """\
<chapter display_name="Shores">
  <sequential url_name="sand"/>
</chapter>
""",
    "chapter/ice.xml": """\
<chapter display_name="Ice" start="&quot;2026-02-01T00:00:00Z&quot;">
  <sequential url_name="melting"/>
</chapter>
""",
    "sequential/sand.xml": """\
<sequential display_name="Sand" format="Homework" graded="true">
  <vertical url_name="grains"/>
  <vertical url_name="dunes"/>
</sequential>
""",
    "sequential/melting.xml": """\
<sequential display_name="Melting">
  <conditional url_name="after_grains"/>
  <vertical url_name="groups"/>
  <vertical display_name="By hand" url_name="by_hand">
    <html url_name="inline" display_name="Written here"><p>Ice <b>floats</b>.</p></html>
    <problem url_name="inline_problem"><p>Why?</p></problem>
    <pond url_name="pond_1" depth="3" xblock-family="xblock.v1"/>
    <sink url_name="sink_1"/>
  </vertical>
</sequential>
""",
    "vertical/grains.xml": """\
<vertical display_name="Grains">
  <html url_name="intro"/>
  <problem url_name="size"/>
  <video url_name="dredging"/>
  <discussion url_name="talk"/>
</vertical>
""",
    "vertical/dunes.xml": """\
<vertical display_name="Dunes">
  <html url_name="wind:first" xblock-family="xblock.v1"/>
  <html url_name="older" filename="older" display_name="As in 2012"/>
</vertical>
""",
    "vertical/groups.xml": """\
<vertical display_name="In groups">
  <split_test url_name="experiment"/>
  <library_content url_name="from_library"/>
</vertical>
""",
    "vertical/group_a.xml": '<vertical display_name="A"/>\n',
    "vertical/group_b.xml": """\
<vertical display_name="B">
  <problem url_name="cold"/>
</vertical>
""",
    "conditional/after_grains.xml": """\
<conditional sources="i4x://Brook/Geo2/problem/size" completed="True">
  <show sources="i4x://Brook/Geo2/html/intro"/>
</conditional>
""",
    "split_test/experiment.xml": """\
<split_test group_id_to_child="{}" user_partition_id="1">
  <vertical url_name="group_a"/>
  <vertical url_name="group_b"/>
</split_test>
""",
    "library_content/from_library.xml": """\
<library_content max_count="1">
  <problem url_name="drawn"/>
</library_content>
""",
    "html/intro.xml": '<html filename="intro" display_name="Grüße vom Ufer"/>\n',
    "html/intro.html": "<p>Water &amp; sand</p>\n<p>unclosed, as HTML may be\n",
    "html/wind/first.xml": '<html filename="first" display_name="Wind"/>\n',
    "html/wind/first.html": "<p>It blows.</p>\n",
    "html/older.html": "<p>Old, and still true.</p>\n",
    "problem/size.xml": """\
<problem display_name="Size">
  <p>How large is a grain?</p>
  <numericalresponse answer="1"><formulaequationinput/></numericalresponse>
</problem>
""",
    "problem/cold.xml": '<problem display_name="Cold"><p>How cold is ice?</p></problem>\n',
    "problem/drawn.xml": '<problem display_name="Drawn"><p>Draw it.</p></problem>\n',
    "problem/orphan.xml": '<problem display_name="Nobody asks"/>\n',
    "video/dredging.xml": """\
<video url_name="dredging" display_name="Dredging" youtube="1.00:abc">
  <source src="https://videos.example/dredging.mp4"/>
</video>
""",
    "discussion/talk.xml": '<discussion discussion_category="Week 1" discussion_target="Talk"/>\n',
    "drafts/vertical/unfinished.xml": """\
<vertical display_name="Unfinished" index_in_children_list="2">
  <html url_name="sketch"/>
</vertical>
""",
    "drafts/html/sketch.xml": '<html filename="sketch"/>\n',
    "drafts/html/sketch.html": "<p>To be written.</p>\n",
    "about/overview.html": "<h2>Lakes</h2>\n",
    "info/updates.html": "<ol></ol>\n",
    "info/updates.items.json": "[]\n",
    "tabs/map.html": "<p>A map</p>\n",
    "policies/assets.json": "{}\n",
    "policies/2026/policy.json": """\
{
    "course/2026": {
        "display_name": "Lakes",
        "start": "2026-01-01T00:00:00Z"
    }
}
""",
    "policies/2026/grading_policy.json": '{"GRADER": [], "GRADE_CUTOFFS": {"Pass": 0.5}}\n',
    "assets/assets.xml": "<assets/>\n",
    "static/depths.xml": "<depths>an exercise: close this tag\n",
    "static/map.txt": "N\n",
    "README.md": "# Lakes\n",
}


def write_whole_course(folder: Path) -> str:
    """Write the course into `folder`; its key, "org/course/run"."""
    for name, text in _FILES.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return KEY
