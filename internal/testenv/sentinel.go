// A master, its replica, and the three sentinels that watch them.

package testenv

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
)

// masterName is what the sentinels call the master.
const masterName = "mymaster"

// SentinelSet is a running set of sentinels with what they watch.
type SentinelSet struct {
	Addrs     []string // where the sentinels listen
	Sentinels []*Server
	Master    *Server // at the start; a failover swaps the roles, not these fields
	Replica   *Server
}

// URL is what redbud.Open takes to reach whichever server is the master.
func (s *SentinelSet) URL() string {
	return "redis+sentinel://" + strings.Join(s.Addrs, ",") + "/" + masterName
}

// Stop ends all of the servers for good.
func (s *SentinelSet) Stop() {
	for _, one := range s.servers() {
		one.Stop()
	}
}

// servers has the sentinels first, which could otherwise begin a failover while the rest ends.
func (s *SentinelSet) servers() []*Server {
	all := append([]*Server(nil), s.Sentinels...)
	for _, one := range []*Server{s.Master, s.Replica} {
		if one != nil {
			all = append(all, one)
		}
	}
	return all
}

func startSentinel() (_ *SentinelSet, err error) {
	s := &SentinelSet{}
	defer func() {
		if err != nil {
			s.Stop()
		}
	}()
	if s.Master, err = StartRedis(); err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(s.Master.Addr)
	if err != nil {
		return nil, err
	}
	if s.Replica, err = StartRedis("--replicaof", host, port); err != nil {
		return nil, err
	}
	// A sentinel asks the master for its replicas when it starts and then every ten seconds: the replica comes first.
	err = await(startLimit, nil, func() error {
		return s.Master.expect("INFO replication", "connected_slaves:1", "state=online")
	})
	if err != nil {
		return nil, fmt.Errorf("attach the replica: %w", err)
	}
	for range 3 {
		one, err := launch(1, func(dir string, ports []int) ([]string, error) {
			file := filepath.Join(dir, "sentinel.conf")
			return []string{file, "--sentinel"}, os.WriteFile(file, sentinelConf(dir, ports[0], s.Master.Addr), 0o600)
		})
		if err != nil {
			return nil, err
		}
		s.Sentinels, s.Addrs = append(s.Sentinels, one), append(s.Addrs, one.Addr)
	}
	for _, one := range s.Sentinels {
		err := await(startLimit, nil, func() error {
			if err := one.expect("INFO sentinel", "status=ok", "slaves=1", "sentinels=3"); err != nil {
				return err
			}
			if err := one.expect("SENTINEL CKQUORUM "+masterName, "OK 3 usable"); err != nil {
				return err
			}
			// Only now has it spoken with the replica and would promote it.
			return one.expect("SENTINEL REPLICAS "+masterName, "master-link-status\nok")
		})
		if err != nil {
			return nil, fmt.Errorf("form a set of sentinels: %w", err)
		}
	}
	return s, nil
}

// sentinelConf is a file, not options, because a sentinel keeps its state there.
func sentinelConf(dir string, port int, master string) []byte {
	host, masterPort, _ := strings.Cut(master, ":")
	return fmt.Appendf(nil, `bind 127.0.0.1
port %d
unixsocket "%s"
dir "%s"
sentinel monitor %[4]s %[5]s %[6]s 2
# Long enough for a busy machine not to see a failure where there is none.
sentinel down-after-milliseconds %[4]s 3000
sentinel failover-timeout %[4]s 10000
`, port, socketIn(dir), dir, masterName, host, masterPort)
}
