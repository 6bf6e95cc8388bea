// SPDX-License-Identifier: GPL-2.0-or-later

import Testing

@testable import HostUSB

@Suite struct HostUSBFilterTests {
  private let stick = HostUSBFacts(
    bus: 1, address: 4, port: "1.3", vendor: 0x0951, product: 0x1666, speed: .superSpeed,
    name: "Kingston DataTraveler")
  private let mouse = HostUSBFacts(
    bus: 2, address: 3, port: "2", vendor: 0x046D, product: 0xC077, speed: .low)
  private let hub = HostUSBFacts(
    bus: 1, address: 2, port: "1", vendor: 0x0951, product: 1, speed: .high, isHub: true)

  @Test func allThatIsSaidCounts() {
    #expect(HostUSBFilter(vendor: 0x0951).matches(stick) && HostUSBFilter(bus: 1, address: 4).matches(stick))
    #expect(HostUSBFilter(bus: 1, port: "1.3").matches(stick))
    #expect(!HostUSBFilter(vendor: 0x0951, product: 0x1667).matches(stick))
    #expect(!HostUSBFilter(bus: 1, address: 2).matches(hub))
    #expect(HostUSBFilter().isEmpty && !HostUSBFilter(bus: 1).isEmpty)
  }

  @Test func whatNearlyMatchesIsNamed() {
    let wanted = HostUSBFilter(vendor: 0x0951, product: 0x1667)
    #expect(
      wanted.complaint(among: [mouse, stick, hub])
        == "there is no USB device with vendorid=0x951,productid=0x1667 on this host; there is 0951:1666 Kingston "
        + "DataTraveler (bus 1, address 4, port 1.3)")
    #expect(
      HostUSBFilter(bus: 9, port: "7").complaint(among: [mouse, stick])
        == "there is no USB device with hostbus=9,hostport=7 on this host; there are 046d:c077 (bus 2, address 3, "
        + "port 2), 0951:1666 Kingston DataTraveler (bus 1, address 4, port 1.3)")
    #expect(wanted.complaint(among: [hub]) == "there is no USB device on this host that a guest could have")
    #expect(
      HostUSBFilter(bus: 1, address: 2).complaint(among: [stick, hub])
        == "hostbus=1,hostaddr=2 is a hub; a guest can have only what is plugged into it")
  }
}
