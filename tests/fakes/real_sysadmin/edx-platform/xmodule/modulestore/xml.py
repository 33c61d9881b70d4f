"""The modulestore of the first years, into which nothing could be imported."""


class XMLModuleStore:
    pass
