"""For pages that no command shows."""


class CourseInstructorRole:
    ROLE = "instructor"
