package redis

// Process is the name by which this Store is told from every other one, random
// and new each time a store is opened.
func (s *Store) Process() string { return s.process }
