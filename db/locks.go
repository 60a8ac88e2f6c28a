package db

// The advisory locks of the program. Those of River are of two numbers, and meet none of these.
const (
	// migrationLock lets one replica migrate while the others wait.
	migrationLock = 7466550
	// billsLock is taken by whoever writes bills (LockBills, in queries/bills.sql), and by AlignLog, which moves them in
	// the order of commits.
	billsLock = 7466551
	// vectorIndexLock is held by whoever makes and drops indexes of embeddings, for as long as that takes.
	vectorIndexLock = 7466553
)

// A number that is there twice does not compile.
var _ = map[int]struct{}{migrationLock: {}, billsLock: {}, writeProbeLock: {}, vectorIndexLock: {}}
