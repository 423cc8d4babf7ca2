package redis

import "context"

// Names returns the whole dictionary: a name's number is its index, for ever. Of
// want, what is missing is appended first, in order, whoever else appends.
func (s *Store) Names(ctx context.Context, want []string) ([]string, error) {
	args := make([]any, len(want))
	for i, name := range want {
		args[i] = name
	}
	var all []string
	err := s.try(ctx, "number names", func() (err error) {
		all, err = s.client.EvalSha(ctx, s.scripts.names.sha, []string{s.keys.names()}, args...).StringSlice()
		return err
	})
	return all, err
}
