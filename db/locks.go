package db

// The advisory locks of the program. Those of River are of two numbers, and meet none of these.
const (
	// migrationLock lets one replica migrate while the others wait.
	migrationLock = 7466550
	// billsLock is taken by whoever writes bills (LockBills, in queries/bills.sql), and by AlignLog, which moves them in
	// the order of commits.
	billsLock = 7466551
	// VectorIndexLock is held while indexes of embeddings are made and dropped.
	VectorIndexLock = 7466553
)

// A number that is there twice does not compile.
var _ = map[int]struct{}{migrationLock: {}, billsLock: {}, writeProbeLock: {}, VectorIndexLock: {}}
