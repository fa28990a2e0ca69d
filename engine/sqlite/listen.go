package sqlite

import (
	"path/filepath"
	"strings"

	"github.com/fsnotify/fsnotify"
)

// Listen implements sqlstore.Driver: each commit writes to the write-ahead log, which stands beside the file.
func (d *driver) Listen() (commits <-chan struct{}, stop func(), err error) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, nil, err
	}
	if err := w.Add(filepath.Dir(d.path)); err != nil { // the log itself comes and goes
		_ = w.Close() // the first error says more
		return nil, nil, err
	}
	told := make(chan struct{}, 1)
	name := filepath.Base(d.path)
	go func() {
		for {
			select {
			case e, ok := <-w.Events:
				if !ok {
					return
				}
				if !strings.HasPrefix(filepath.Base(e.Name), name) {
					continue
				}
			case _, ok := <-w.Errors: // events were lost
				if !ok {
					return
				}
			}
			select {
			case told <- struct{}{}:
			default: // it is going to look
			}
		}
	}()
	return told, func() { _ = w.Close() }, nil // nothing is left to be lost
}
