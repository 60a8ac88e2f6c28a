package parliament

import (
	"context"
	"fmt"
)

// sessionEnds are the days on which sessions of Parliament ended, by prorogation or dissolution. Neither source has
// them. A session that is not listed has not ended, or ended after this list was written.
// source: Library of Parliament, ParlInfo, "Parliaments and sessions"
var sessionEnds = map[string]string{
	"35-1": "1996-02-02", "35-2": "1997-04-27",
	"36-1": "1999-09-18", "36-2": "2000-10-22",
	"37-1": "2002-09-16", "37-2": "2003-11-12", "37-3": "2004-05-23",
	"38-1": "2005-11-29",
	"39-1": "2007-09-14", "39-2": "2008-09-07",
	"40-1": "2008-12-04", "40-2": "2009-12-30", "40-3": "2011-03-26",
	"41-1": "2013-09-13", "41-2": "2015-08-02",
	"42-1": "2019-09-11",
	"43-1": "2020-08-18", "43-2": "2021-08-15",
	"44-1": "2025-01-06",
}

// Session is a session of Parliament.
type Session struct{ Parliament, Number int }

// LatestSession returns the session of the latest stored bill; the zero Session if there is none.
func (s *Store) LatestSession(ctx context.Context) (Session, error) {
	row, err := s.lists.LatestSession(ctx)
	return Session{int(row.Parliament), int(row.Session)}, err
}

// Ended reports whether the session has ended: by the table of ends, or since there are bills of a later one.
func (s Session) Ended(latest Session) bool {
	_, listed := sessionEnds[fmt.Sprintf("%d-%d", s.Parliament, s.Number)]
	return listed || s.Parliament < latest.Parliament || s.Parliament == latest.Parliament && s.Number < latest.Number
}
