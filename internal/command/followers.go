package command

const errNoReplicas = Refusal("NOREPLICAS Not enough good replicas to write.")

// wantFollowers makes the settings work that refuse writes where there are too few replicas.
func (e *Engine) wantFollowers() {
	apply := func(string) error {
		e.wanted.Store(e.Settings.Int("min-replicas-to-write"))
		if e.Settings.Int("min-replicas-max-lag") == 0 {
			e.wanted.Store(0)
		}
		return nil
	}
	for _, name := range []string{"min-replicas-to-write", "min-replicas-max-lag"} {
		setting := e.Settings.must(name).Setting
		setting.Apply = apply
		e.Settings.Register(setting)
	}
}

// lonely reports whether there are fewer replicas than calls that write want.
func (e *Engine) lonely() bool { return e.wanted.Load() > 0 }
