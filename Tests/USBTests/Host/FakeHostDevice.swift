// SPDX-License-Identifier: GPL-2.0-or-later

import HostUSB

/// A device of the host that does what a test tells it.
final class FakeHostDevice: HostUSBDevice {
  final class Transfer: HostUSBTransfer {
    unowned let device: FakeHostDevice
    private(set) var isCancelled = false

    init(_ device: FakeHostDevice) {
      self.device = device
      super.init()
    }

    override func start() -> Bool {
      guard device.takesTransfers else { return false }
      isCancelled = false
      device.inFlight.append(self)
      return true
    }

    override func stop() { isCancelled = true }

    /// The SETUP packet of a control transfer.
    var setup: [UInt8] { Array(message.prefix(8)) }

    func end(_ result: Result, _ bytes: [UInt8] = [], claiming count: Int? = nil) {
      device.inFlight.removeAll { $0 === self }
      if !bytes.isEmpty { data.copyBytes(from: bytes.prefix(data.count)) }
      end(result, doneCount: count ?? bytes.count)
    }
  }

  var facts = HostUSBFacts(
    bus: 1, address: 4, port: "1.3", vendor: 0x0951, product: 0x1666, speed: .high, name: "Stick")
  var configurations: [HostUSBConfiguration] = [
    HostUSBConfiguration(
      value: 1,
      interfaces: [
        HostUSBInterface(
          number: 0, alternate: 0,
          endpoints: [
            HostUSBEndpoint(address: 0x81, kind: 2, maxPacketSize: 512, interval: 0),
            HostUSBEndpoint(address: 0x02, kind: 2, maxPacketSize: 512, interval: 0),
            HostUSBEndpoint(address: 0x83, kind: 3, maxPacketSize: 8, interval: 4),
          ]),
        HostUSBInterface(
          number: 0, alternate: 1,
          endpoints: [HostUSBEndpoint(address: 0x84, kind: 1, maxPacketSize: 512, interval: 1)]),
      ]),
    HostUSBConfiguration(value: 2, interfaces: []),
  ]
  weak var observer: (any HostUSBObserver)?
  var takesTransfers = true
  private(set) var operations: [HostUSBOperation] = []
  private var begun: [HostUSBOperation] = []
  var inFlight: [Transfer] = []
  private(set) var isClosed = false

  func makeTransfer() -> HostUSBTransfer? { Transfer(self) }
  func close() { isClosed = true }

  func begin(_ operation: HostUSBOperation) {
    operations.append(operation)
    begun.append(operation)
  }

  /// Ends what was begun.
  func endOperations(succeeded: Bool = true) {
    while !begun.isEmpty { observer?.hostOperationEnded(begun.removeFirst(), succeeded: succeeded) }
  }

  /// The oldest transfer of an endpoint.
  func transfer(_ endpoint: UInt8) -> Transfer? { inFlight.first { $0.endpoint == endpoint } }
}
