// SPDX-License-Identifier: GPL-2.0-or-later

import CharacterDevice
import Glibc
import Network
import OptionSyntax
import Testing

@Suite struct JoinedNetworkTests {
  private func frame(_ fill: UInt8, count: Int = 60) -> [UInt8] {
    Array(repeating: 0xFF, count: 6) + [2, 0, 0, 0, 0, fill] + Array(repeating: fill, count: count - 12)
  }

  /// Two ends of a stream on a port of the host's choice.
  private func pair(_ bench: Bench, _ other: Bench) throws -> (StreamNetwork, StreamNetwork) {
    var settings = SocketSettings(address: .tcp(host: "127.0.0.1", port: 0))
    settings.isServer = true
    let server = try StreamNetwork(settings, id: "a", loop: bench.loop, log: bench.log)
    server.receiver = bench
    let port = try #require(server.port)
    let client = try StreamNetwork(
      SocketSettings(address: .tcp(host: "127.0.0.1", port: port)), id: "b", loop: bench.loop, log: bench.log)
    client.receiver = other
    var isThere = false
    server.onConnection = { if server.isConnected { isThere = true } }
    #expect(bench.turn { isThere })
    return (server, client)
  }

  @Test func streamCarriesFramesBothWays() throws {
    let (near, far) = (try Bench(), try Bench())
    let (server, client) = try pair(near, far)
    for index in 0..<50 {
      near.send(frame(UInt8(index), count: 60 + index * 29), through: server)
      near.send(frame(UInt8(index)), through: client)
    }
    #expect(near.turn { near.received.count == 50 && far.received.count == 50 })
    #expect(far.received == (0..<50).map { frame(UInt8($0), count: 60 + $0 * 29) })
    #expect(near.received == (0..<50).map { frame(UInt8($0)) })
    server.close()
    client.close()
  }

  @Test func streamKeepsWhatTheCardRefuses() throws {
    let (near, far) = (try Bench(), try Bench())
    let (server, client) = try pair(near, far)
    far.room = 3
    // More than socket buffers hold: in the end the sender is told to wait.
    var sent = 0
    while sent < 20_000, near.send(frame(UInt8(sent & 0xFF), count: 1500), through: server) {
      sent += 1
      near.loop.runOnce(timeoutMilliseconds: 0)
    }
    #expect(sent > 10 && sent < 20_000)
    #expect(far.received.count == 3)
    far.room = nil
    near.lock.withLock { client.receiverBecameReady() }
    #expect(near.turn { far.received.count == sent && near.readyCalls > 0 })
    #expect(zip(far.received, 0..<sent).allSatisfy { $0[20] == UInt8($1 & 0xFF) })
    server.close()
    client.close()
  }

  @Test func nonsenseEndsTheConnectionOnly() throws {
    let bench = try Bench()
    var settings = SocketSettings(address: .unix(path: "/tmp/martlet-net-\(getpid())", isAbstract: true))
    settings.isServer = true
    let server = try StreamNetwork(settings, id: "a", loop: bench.loop, log: bench.log)
    server.receiver = bench
    var events: [Bool] = []
    server.onConnection = { events.append(server.isConnected) }
    for rubbish in [[0xFF, 0xFF, 0xFF, 0xFF], Array(repeating: UInt8(0x41), count: 5000)] as [[UInt8]] {
      events = []
      let client = try HostSocket.connect(settings.address, milliseconds: 1000)
      _ = rubbish.withUnsafeBytes { write(client, $0.baseAddress, $0.count) }
      #expect(bench.turn { events == [true, false] })
      close(client)
    }
    #expect(bench.received.isEmpty)
    // What is not a whole frame waits for its rest.
    let client = try HostSocket.connect(settings.address, milliseconds: 1000)
    let message: [UInt8] = [0, 0, 0, 60] + frame(7)
    for byte in message {
      _ = withUnsafeBytes(of: byte) { write(client, $0.baseAddress, 1) }
      bench.loop.runOnce(timeoutMilliseconds: 5)
    }
    #expect(bench.turn { bench.received == [frame(7)] })
    close(client)
    server.close()
  }

  @Test func multicastIsAHubWithoutEchoes() throws {
    let benches = try (0..<3).map { _ in try Bench() }
    let settings = DatagramNetwork.Settings(
      local: nil, remote: .udp(try #require(IPv4Address("239.192.77.1")), 40_000 + UInt16(getpid() % 20_000)),
      multicastInterface: IPv4Address("127.0.0.1"))
    let networks = try benches.map { bench in
      let network = try DatagramNetwork(settings, id: "m", loop: benches[0].loop)
      network.receiver = bench
      return network
    }
    benches[0].send(frame(9), through: networks[0])
    #expect(benches[0].turn { benches[1].received == [frame(9)] && benches[2].received == [frame(9)] })
    #expect(benches[0].received.isEmpty)
    for network in networks { network.close() }
  }

  @Test func hubSendsToAllOthers() throws {
    let benches = try (0..<3).map { _ in try Bench() }
    let hub = PacketHub(id: 0)
    let ports = benches.map { bench in
      let port = hub.makePort()
      port.receiver = bench
      return port
    }
    benches[2].room = 0
    benches[0].send(frame(1), through: ports[0])
    #expect(benches[0].received.isEmpty)
    #expect(benches[1].received == [frame(1)])
    #expect(benches[2].received.isEmpty)
    benches[2].room = nil
    ports[2].receiverBecameReady()
    #expect(benches[2].received == [frame(1)])
  }

  /// A burst longer than a back end has room for: the card waits.
  @Test func hubLosesNothingOfABurst() throws {
    let bench = try Bench()
    let network = try UserNetwork.make("ipv6=off", on: bench)
    let hub = PacketHub(id: 0)
    let uplink = hub.makePort()
    uplink.plug(network)
    let port = hub.makePort()
    port.receiver = bench
    let sink = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
    defer { close(sink) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    var room: Int32 = 4 << 20
    setsockopt(sink, SOL_SOCKET, SO_RCVBUF, &room, socklen_t(MemoryLayout<Int32>.size))
    withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        _ = bind(sink, $0, size)
        _ = getsockname(sink, $0, &size)
      }
    }
    let number = UInt16(bigEndian: address.sin_port)
    func datagram(_ number: UInt16, _ index: Int) -> [UInt8] {
      let header = [0x12, 0x34, UInt8(number >> 8), UInt8(number & 0xFF), 0x05, 0x80, 0, 0]
      let payload = [UInt8(index & 0xFF)] + [UInt8](repeating: 7, count: 0x580 - 9)
      return GuestFrame.packet(to: GuestFrame.gateway, protocol: 17, header + payload)
    }
    // In one batch, as a card does: without the loop having its turn.
    var next = 0
    func sendOn() {
      while next < 400 {
        var bytes = datagram(number, next)
        let isTaken = bytes.withUnsafeMutableBytes {
          var piece = iovec(iov_base: $0.baseAddress, iov_len: $0.count)
          return withUnsafePointer(to: &piece) {
            port.send(UnsafeBufferPointer(start: $0, count: 1), .none)
          }
        }
        guard isTaken else { break }
        next += 1
      }
      port.endOfBatch()
    }
    bench.lock.withLock { sendOn() }
    #expect(next < 400)
    var received: [UInt8] = []
    var calls = 0
    #expect(
      bench.turn {
        bench.lock.withLock {
          if bench.readyCalls > calls {
            calls = bench.readyCalls
            sendOn()
          }
        }
        var buffer = [UInt8](repeating: 0, count: 2048)
        while recv(sink, &buffer, buffer.count, Int32(MSG_DONTWAIT)) > 0 {
          received.append(buffer[0])
        }
        return received.count >= 400
      })
    #expect(received == (0..<400).map { UInt8($0 & 0xFF) })
    bench.lock.withLock { network.close() }
  }

  @Test func wireCanBePulledOutAndListenedTo() throws {
    let (near, far) = (try Bench(), try Bench())
    let hub = PacketHub(id: 0)
    let other = hub.makePort()
    other.receiver = far
    let wire = PacketWire(cardName: "nic", to: hub.makePort(), backEndName: "net")
    wire.receiver = near
    let path = "/tmp/martlet-capture-\(getpid()).pcap"
    defer { unlink(path) }
    wire.add(try PacketCapture(name: "c", path: path, longest: 100))
    near.send(frame(1), through: wire)
    far.send(frame(2, count: 200), through: other)
    wire.isPluggedIn = false
    #expect(!wire.isLinkUp)
    near.send(frame(3), through: wire)
    far.send(frame(4), through: other)
    wire.isPluggedIn = true
    #expect(near.linkChanges == 2)
    #expect(far.received == [frame(1)])
    #expect(near.received == [frame(2, count: 200)])
    #expect(wire.sent == .init(frames: 1, bytes: 60))
    // 24 bytes of header; 16 and what is kept of each frame.
    var status = stat()
    #expect(stat(path, &status) == 0)
    #expect(status.st_size == 24 + 16 + 60 + 16 + 100)
  }

  @Test func filterChangesAreToldOnceUntilSomebodyLooks() {
    let wire = PacketWire(cardName: "nic", to: nil, backEndName: nil)
    // Without a listener nothing is used up.
    wire.receiveFilterChanged()
    var told = 0
    wire.onFilterChange = { told += 1 }
    for _ in 0..<128 { wire.receiveFilterChanged() }
    #expect(told == 1)
    wire.filterWasRead()
    #expect(told == 1)
    wire.receiveFilterChanged()
    wire.receiveFilterChanged()
    #expect(told == 2)
  }

  @Test(arguments: [
    ("socket", "listen=:x"), ("socket", ""), ("socket", "mcast=10.0.0.1:5"), ("socket", "udp=1.2.3.4:5"),
    ("stream", "server=on"), ("stream", "addr.type=inet"), ("dgram", "local.type=inet,local.port=1"),
    ("dgram", "remote.type=inet,remote.host=1.2.3.4,remote.port=5"), ("hubport", ""), ("tap", "ifname=a/b"),
    ("bridge", "helper="), ("usr", ""),
  ])
  func refused(_ type: String, _ text: String) throws {
    #expect(throws: OptionError.self) {
      var list = try PropertyList(text, option: "-netdev")
      _ = try NetworkBackEndConfiguration(type: type, id: "x", &list)
    }
  }
}
