// SPDX-License-Identifier: GPL-2.0-or-later

import HostUSB

/// The transfers of a device of the host: those under way with what they are for, and those to use again.
struct HostFlights {
  /// One that the host has.
  struct Flight {
    let host: HostUSBTransfer
    /// What it is for; nil if that was taken back.
    var guest: USBTransfer?
  }

  /// More at a time have to wait.
  static let countLimit = 64
  /// So many bytes of data under way at a time, and no more: what the host's kernel gives all programs together.
  static let byteLimit = 16 << 20
  /// More idle ones are given back.
  private static let idleLimit = 16
  private static let idleByteLimit = 1 << 20

  private(set) var all: [Flight] = []
  private var idle: [HostUSBTransfer] = []
  private var byteCount = 0

  init() {
    all.reserveCapacity(Self.countLimit)
    idle.reserveCapacity(Self.idleLimit)
  }

  /// Whether one more with so many bytes may begin. One always may.
  func hasRoom(for count: Int) -> Bool {
    all.isEmpty || all.count < Self.countLimit && byteCount + count <= Self.byteLimit
  }

  /// Whether what was taken back of an endpoint has not come back.
  func isSettling(_ address: USBEndpointAddress) -> Bool {
    all.contains { $0.guest == nil && $0.host.endpoint == address.rawValue }
  }

  /// One to use.
  mutating func takeIdle(of device: any HostUSBDevice) -> HostUSBTransfer? {
    idle.popLast() ?? device.makeTransfer()
  }

  /// The host has it.
  mutating func add(_ host: HostUSBTransfer, for guest: USBTransfer?) {
    all.append(Flight(host: host, guest: guest))
    byteCount += host.byteCount
  }

  /// It is idle. Few, and none with much memory, are kept.
  mutating func giveBack(_ host: HostUSBTransfer) {
    if idle.count < Self.idleLimit, host.capacity <= Self.idleByteLimit { idle.append(host) }
  }

  /// It came back.
  mutating func remove(_ host: HostUSBTransfer) -> Flight? {
    guard let index = all.firstIndex(where: { $0.host === host }) else { return nil }
    byteCount -= host.byteCount
    return all.remove(at: index)
  }

  /// Has the host end all.
  func cancelAll() { for flight in all { flight.host.cancel() } }

  /// What it is for was taken back.
  mutating func forget(_ guest: USBTransfer) {
    guard let index = all.firstIndex(where: { $0.guest === guest }) else { return }
    all[index].guest = nil
    all[index].host.cancel()
  }
}
