// SPDX-License-Identifier: GPL-2.0-or-later

import CHost
import CharacterDevice
import Glibc
import Network
import OptionSyntax
import Testing

@Suite struct UserNetworkTests {
  @Test func answersARPAtOnceAndOnlyAfterTheBatch() throws {
    let bench = try Bench()
    let network = try UserNetwork.make("ipv6=off", on: bench)
    bench.send(GuestFrame.arpRequest, through: network)
    let reply = try #require(bench.received.first)
    #expect(Array(reply[0..<6]) == GuestFrame.address)
    #expect(Array(reply[12..<14]) == [8, 6])
    #expect(Array(reply[20..<22]) == [0, 2])
    #expect(Array(reply[28..<32]) == GuestFrame.gateway)
    network.close()
  }

  @Test func frameThatTheCardRefusesWaits() throws {
    let bench = try Bench()
    let network = try UserNetwork.make("ipv6=off", on: bench)
    bench.room = 0
    for _ in 0..<3 { bench.send(GuestFrame.arpRequest, through: network) }
    #expect(bench.received.isEmpty)
    bench.room = nil
    bench.lock.withLock { network.receiverBecameReady() }
    #expect(bench.received.count == 3)
    network.close()
  }

  @Test func pingsTheGateway() throws {
    let bench = try Bench()
    let network = try UserNetwork.make("ipv6=off", on: bench)
    bench.send(GuestFrame.arpRequest, through: network)
    var echo: [UInt8] = [8, 0, 0, 0, 0x12, 0x34, 0, 1] + Array("0123456789".utf8)
    echo.replaceSubrange(2..<4, with: GuestFrame.sum(echo))
    bench.send(GuestFrame.packet(to: GuestFrame.gateway, protocol: 1, echo), through: network)
    #expect(bench.turn { bench.received.count >= 2 })
    let reply = try #require(bench.received.last)
    #expect(reply[34] == 0, "an echo reply")
    #expect(Array(reply[42..<52]) == Array("0123456789".utf8))
    network.close()
  }

  @Test func offersAnAddress() throws {
    let bench = try Bench()
    let network = try UserNetwork.make(
      "ipv6=off,net=192.168.7.0/24,dhcpstart=192.168.7.40,hostname=here", on: bench)
    var message: [UInt8] = [1, 1, 6, 0, 1, 2, 3, 4] + Array(repeating: 0, count: 20) + GuestFrame.address
    message += Array(repeating: 0, count: 236 - message.count)
    message += [0x63, 0x82, 0x53, 0x63, 53, 1, 1, 255]
    message += Array(repeating: 0, count: 300 - message.count)
    let datagram =
      [0, 68, 0, 67, UInt8((message.count + 8) >> 8), UInt8((message.count + 8) & 0xFF), 0, 0] + message
    bench.send(
      GuestFrame.packet(to: [255, 255, 255, 255], from: [0, 0, 0, 0], protocol: 17, datagram),
      through: network)
    #expect(bench.turn { !bench.received.isEmpty })
    let offer = try #require(bench.received.first { $0.count > 300 })
    #expect(Array(offer[58..<62]) == [192, 168, 7, 40], "yiaddr")
    network.close()
  }

  @Test func forwardsAPortOfTheHost() throws {
    let bench = try Bench()
    // A free port, which is given up again.
    let probe = try listener()
    close(probe.descriptor)
    let network = try UserNetwork.make("ipv6=off,hostfwd=tcp:127.0.0.1:\(probe.port)-:22", on: bench)
    let client = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
    defer { close(client) }
    var address = probe.address
    _ = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(client, $0, 16) }
    }
    // The library asks for the guest's hardware address, and then opens the connection to its port 22.
    bench.send(GuestFrame.arpRequest, through: network)
    #expect(
      bench.turn {
        bench.received.contains { $0.count > 37 && $0[23] == 6 && Array($0[36..<38]) == [0, 22] }
      })
    #expect(network.connections.contains("\(probe.port)"))
    network.close()
  }

  @Test func saysWhichPortIsTaken() throws {
    let bench = try Bench()
    let taken = try listener()
    defer { close(taken.descriptor) }
    #expect(throws: NetworkError.self) {
      try UserNetwork.make("hostfwd=tcp:127.0.0.1:\(taken.port)-:22", on: bench)
    }
  }

  private func listener() throws -> (descriptor: Int32, port: UInt16, address: sockaddr_in) {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var count = socklen_t(16)
    withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        _ = bind(descriptor, $0, 16)
        _ = getsockname(descriptor, $0, &count)
      }
    }
    try #require(listen(descriptor, 1) == 0)
    return (descriptor, UInt16(bigEndian: address.sin_port), address)
  }

  @Test func rubbishDoesNoHarm() throws {
    let bench = try Bench()
    let network = try UserNetwork.make("", on: bench)
    var state: UInt64 = 1
    for _ in 0..<3000 {
      state = state &* 6_364_136_223_846_793_005 &+ 1
      var frame = [UInt8](repeating: UInt8(truncatingIfNeeded: state >> 33), count: Int(state >> 50) % 1600)
      if frame.count > 40 {
        frame.replaceSubrange(12..<16, with: [8, state & 1 << 40 != 0 ? 0 : 6, 0x45, 0])
      }
      bench.send(frame, through: network)
    }
    bench.send([], through: network)
    network.close()
  }

  @Test(arguments: [
    "hostfwd=tcp::1-:0", "hostfwd=icmp::1-:2", "hostfwd=tcp::99999-:22", "net=10.0.2.0/33", "net=x",
    "ipv6-prefixlen=200",
    "guestfwd=tcp:1.2.3.4:5", "guestfwd=tcp:10.0.2.9:80-", "ipv4=off,ipv6=off", "smb=/tmp", "host=10.0.3.1",
  ])
  func refused(_ text: String) throws {
    #expect(throws: OptionError.self) {
      var list = try PropertyList(text, option: "-netdev")
      _ = try UserNetworkConfiguration(&list)
    }
  }

  @Test func readsWhatQEMUReads() throws {
    var list = try PropertyList(
      "net=10.5.0.0/255.255.0.0,host=10.5.0.9,hostfwd=tcp:127.0.0.1:80-10.5.0.20:8080,hostfwd=udp::53-:53,"
        + "guestfwd=tcp:10.5.0.100:7-cmd:cat,dnssearch=a.example,dnssearch=b.example,tftp=/srv,bootfile=x,restrict=on",
      option: "-netdev")
    let configuration = try UserNetworkConfiguration(&list)
    try list.finish()
    #expect(configuration.prefixLength == 16)
    #expect(
      configuration.hostForwards.map(\.description) == [
        "tcp:127.0.0.1:80-10.5.0.20:8080", "udp:0.0.0.0:53-:53",
      ])
    #expect(configuration.guestForwards.map(\.description) == ["tcp:10.5.0.100:7-cmd:cat"])
    #expect(configuration.searchDomains == ["a.example", "b.example"])
    #expect(configuration.isRestricted)
  }
}
