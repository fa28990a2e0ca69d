// A cluster of three masters.

package testenv

import (
	"fmt"
	"net"
	"strconv"
	"strings"
)

// ClusterSet is a running cluster.
type ClusterSet struct {
	Addrs []string  // where the nodes listen
	Nodes []*Server // in the order of the slots they own, a third each
}

// URL is what redbud.Open takes to reach the cluster.
func (c *ClusterSet) URL() string { return "redis+cluster://" + strings.Join(c.Addrs, ",") }

// Stop ends all nodes for good.
func (c *ClusterSet) Stop() {
	for _, n := range c.Nodes {
		n.Stop()
	}
}

func startCluster() (_ *ClusterSet, err error) {
	c := &ClusterSet{}
	defer func() {
		if err != nil {
			c.Stop()
		}
	}()
	slots := []string{"0 5460", "5461 10922", "10923 16383"}
	var buses []int
	for range slots {
		var bus int
		node, err := launch(2, func(dir string, ports []int) ([]string, error) {
			bus = ports[1]
			return append(options(dir, ports[0]),
				"--cluster-enabled", "yes",
				"--cluster-port", strconv.Itoa(bus),
				// A node else learns its own address from its peers, and until then tells clients an empty one.
				"--cluster-announce-ip", "127.0.0.1",
				"--cluster-node-timeout", "5000",
			), nil
		})
		if err != nil {
			return nil, err
		}
		c.Nodes, c.Addrs, buses = append(c.Nodes, node), append(c.Addrs, node.Addr), append(buses, bus)
	}
	for i, n := range c.Nodes {
		// Epochs that differ from the start spare the nodes a round of settling who has which.
		if err := n.expect(fmt.Sprintf("CLUSTER SET-CONFIG-EPOCH %d", i+1), "OK"); err != nil {
			return nil, err
		}
		if err := n.expect("CLUSTER ADDSLOTSRANGE "+slots[i], "OK"); err != nil {
			return nil, err
		}
	}
	for i, n := range c.Nodes[1:] {
		_, port, err := net.SplitHostPort(n.Addr)
		if err != nil {
			return nil, err
		}
		if err := c.Nodes[0].expect(fmt.Sprintf("CLUSTER MEET 127.0.0.1 %s %d", port, buses[i+1]), "OK"); err != nil {
			return nil, err
		}
	}
	for _, n := range c.Nodes {
		err := await(startLimit, nil, func() error {
			return n.expect("CLUSTER INFO", "cluster_state:ok", "cluster_known_nodes:3", "cluster_slots_ok:16384")
		})
		if err != nil {
			return nil, fmt.Errorf("form a cluster: %w", err)
		}
	}
	return c, nil
}
