package access

import "net/netip"

// Network is what of an address counts as one client: of IPv6 the first 64 bits, of which whoever has one address has
// all; of IPv4, also where it is written as IPv6, the whole. What is no address is given back, not longer than one.
func Network(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return address[:min(len(address), 64)]
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is4() {
		return ip.String()
	}
	p, _ := ip.Prefix(64) // of IPv6 there is always one
	return p.String()
}
