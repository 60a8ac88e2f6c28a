package embed

// Read exposes read.
func Read(raw []byte, n int) (*Result, error) { return read(raw, n) }
