package parliament

// CourseOf is what Store.Course gives of a bill that is stored alone.
func CourseOf(id BillID, p SourceRecords) *Course {
	c := courseOf(id, p)
	c.link(id, p, nil, nil)
	c.Outcome = outcomeOf(id, p, c, false)
	return c
}

// SessionEnds are the days on which sessions ended.
var SessionEnds = sessionEnds
