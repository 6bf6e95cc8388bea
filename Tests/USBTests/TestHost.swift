// SPDX-License-Identifier: GPL-2.0-or-later

import GuestMemory
import TestSupport
import USB

/// A host controller reduced to what devices see of one: transfers of endpoints, by guest memory, one at a time each.
final class TestHost: USBTransferOwner, USBPortHost {
  let board: TestBoard
  let port: USBPort
  private(set) var ready: [USBEndpointAddress] = []
  private(set) var wakeUps = 0
  private(set) var completed: [USBTransfer] = []
  /// Where data is put, and where it is taken from.
  static let inAddress = 0x10_0000
  static let outAddress = 0x20_0000
  private var transfers: [USBTransfer] = []

  init(speeds: USBSpeeds = [.full, .high, .superSpeed]) throws {
    board = try TestBoard()
    port = USBPort(index: 0, path: "1", speeds: speeds, host: nil)
    port.hand(to: self, speeds: speeds)
  }

  func transferCompleted(_ transfer: USBTransfer) { completed.append(transfer) }
  func deviceAttached(to port: USBPort) {}
  func deviceDetached(from port: USBPort) {}
  func deviceWokeUp(on port: USBPort) { wakeUps += 1 }
  func endpointReady(_ endpoint: USBEndpointAddress, of device: USBDevice) { ready.append(endpoint) }

  private func make(_ token: USBToken, _ endpoint: UInt8) -> USBTransfer {
    let transfer = USBTransfer(memory: board.memory.memory, owner: self, segmentCapacity: 8)
    transfer.begin(token, endpoint: endpoint)
    return transfer
  }

  /// Begins a transfer to the host.
  func begin(in endpoint: UInt8, _ count: Int, from device: USBDevice) -> (USBTransfer, USBResult) {
    let transfer = make(.in, endpoint)
    _ = transfer.append(GuestAddress(UInt64(Self.inAddress)), count: count)
    return (transfer, transfer.submit(to: device))
  }

  /// Begins a transfer to the device.
  func begin(out endpoint: UInt8, _ bytes: [UInt8], to device: USBDevice) -> (USBTransfer, USBResult) {
    let transfer = make(.out, endpoint)
    bytes.withUnsafeBytes { _ = board.memory.memory.write(GuestAddress(UInt64(Self.outAddress)), from: $0) }
    _ = transfer.append(GuestAddress(UInt64(Self.outAddress)), count: bytes.count)
    return (transfer, transfer.submit(to: device))
  }

  /// What a transfer brought.
  func bytes(of transfer: USBTransfer) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: transfer.doneCount)
    bytes.withUnsafeMutableBytes {
      _ = board.memory.memory.read(GuestAddress(UInt64(Self.inAddress)), into: $0)
    }
    return bytes
  }

  /// Reads from an endpoint; nil unless it succeeds at once.
  func read(_ endpoint: UInt8, _ count: Int, from device: USBDevice) -> [UInt8]? {
    let (transfer, result) = begin(in: endpoint, count, from: device)
    return result == .success ? bytes(of: transfer) : nil
  }

  /// A control transfer without data, or with data to the device.
  @discardableResult
  func control(
    _ type: UInt8, _ request: UInt8, value: UInt16 = 0, index: UInt16 = 0, data: [UInt8] = [],
    _ device: USBDevice
  ) -> USBResult {
    let length = UInt16(truncatingIfNeeded: data.count)
    guard setup(type, request, value, index, length, device) == .success else { return .error }
    if !data.isEmpty {
      let (_, result) = begin(out: 0, data, to: device)
      guard result == .success else { return result }
    }
    return make(.in, 0).submit(to: device)
  }

  /// A control transfer with data to the host; nil if it is refused.
  func control(
    _ type: UInt8, _ request: UInt8, value: UInt16 = 0, index: UInt16 = 0, count: UInt16, _ device: USBDevice
  ) -> [UInt8]? {
    guard setup(type, request, value, index, count, device) == .success,
      let data = read(0, Int(count), from: device)
    else { return nil }
    return make(.out, 0).submit(to: device) == .success ? data : nil
  }

  private func setup(
    _ type: UInt8, _ request: UInt8, _ value: UInt16, _ index: UInt16, _ length: UInt16, _ device: USBDevice
  ) -> USBResult {
    let transfer = make(.setup, 0)
    let packet =
      UInt64(type) | UInt64(request) << 8 | UInt64(value) << 16 | UInt64(index) << 32 | UInt64(length) << 48
    _ = transfer.append(immediate: packet, count: 8)
    return transfer.submit(to: device)
  }

  /// Plugs a device in, gives it address 1 and configures it.
  func configure(_ device: USBDevice) -> Bool {
    guard port.attach(device) else { return false }
    device.resetFromPort()
    return control(0, 5, value: 1, device) == .success && control(0, 9, value: 1, device) == .success
  }
}
