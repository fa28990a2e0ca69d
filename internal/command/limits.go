package command

import "github.com/redbud-go/redbud/internal/keyspace"

// limitSettings are the settings that keyspace.Limits are made of.
var limitSettings = []string{"hash-max-listpack-entries", "hash-max-listpack-value", "list-max-listpack-size",
	"set-max-intset-entries", "set-max-listpack-entries", "set-max-listpack-value",
	"zset-max-listpack-entries", "zset-max-listpack-value"}

// limits are the limits that the settings tell.
func (s *Settings) limits() keyspace.Limits {
	return keyspace.Limits{
		HashEntries:      int(s.Int("hash-max-listpack-entries")),
		HashValue:        int(s.Int("hash-max-listpack-value")),
		ListSize:         int(s.Int("list-max-listpack-size")),
		SetIntegers:      int(s.Int("set-max-intset-entries")),
		SetEntries:       int(s.Int("set-max-listpack-entries")),
		SetValue:         int(s.Int("set-max-listpack-value")),
		SortedSetEntries: int(s.Int("zset-max-listpack-entries")),
		SortedSetValue:   int(s.Int("zset-max-listpack-value")),
	}
}

// limit makes a store heed the settings.
func (s *Settings) limit(store keyspace.Limited) {
	for _, name := range limitSettings {
		setting := s.must(name).Setting
		setting.Apply = func(string) error {
			store.SetLimits(s.limits())
			return nil
		}
		s.Register(setting)
	}
	store.SetLimits(s.limits())
}
