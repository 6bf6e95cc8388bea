// SPDX-License-Identifier: GPL-2.0-or-later

/// A USB device of the host, taken for the guest. Called with the machine's lock held; nothing here waits for the
/// device.
public protocol HostUSBDevice: AnyObject {
  /// What and where it is.
  var facts: HostUSBFacts { get }
  /// Its configurations, as far as endpoints go. Guests read the descriptors themselves.
  var configurations: [HostUSBConfiguration] { get }
  /// Who is told what happens to it; held weakly.
  var observer: (any HostUSBObserver)? { get set }

  /// A transfer to use again and again; nil if the host has no memory for one.
  func makeTransfer() -> HostUSBTransfer?

  /// Begins what the host's kernel has to do itself. Operations are done in order, each is told to the observer, and
  /// no transfer may be begun before.
  func begin(_ operation: HostUSBOperation)

  /// Gives it back to the host: transfers are cancelled, the host's own driver may have it again. Nothing is told
  /// any more.
  func close()
}

/// What only the host's kernel can do with a device, because it has to know.
public enum HostUSBOperation: Equatable, Sendable {
  /// SET_CONFIGURATION; all interfaces of the new one are taken from the host's drivers.
  case setConfiguration(UInt8)
  /// SET_INTERFACE.
  case setInterface(UInt8, alternate: UInt8)
  /// CLEAR_FEATURE(ENDPOINT_HALT).
  case clearHalt(endpoint: UInt8)
  /// A reset of its port.
  case reset
}

/// Who has a device of the host. Called on the event loop with the machine's lock held.
public protocol HostUSBObserver: AnyObject {
  /// The oldest operation that was begun has ended.
  func hostOperationEnded(_ operation: HostUSBOperation, succeeded: Bool)
  /// It was pulled out of the host, or does not come back from a reset.
  func hostDeviceGone()
}

/// How fast a device of the host is connected.
public enum HostUSBSpeed: UInt8, Sendable {
  case low
  case full
  case high
  case superSpeed
}

/// What and where a device of the host is.
public struct HostUSBFacts: Sendable, Equatable {
  /// The number of its bus, as in /dev/bus/usb.
  public var bus: Int
  /// Its address on the bus.
  public var address: Int
  /// The ports that lead to it: "2", or "1.3" behind a hub.
  public var port: String
  public var vendor: UInt16
  public var product: UInt16
  public var speed: HostUSBSpeed
  /// bDeviceClass is that of hubs.
  public var isHub = false
  /// What people know it by: maker and product, as the host has read them; may be empty.
  public var name = ""

  public init(
    bus: Int, address: Int, port: String, vendor: UInt16, product: UInt16, speed: HostUSBSpeed,
    isHub: Bool = false, name: String = ""
  ) {
    (self.bus, self.address, self.port) = (bus, address, port)
    (self.vendor, self.product, self.speed) = (vendor, product, speed)
    (self.isHub, self.name) = (isHub, name)
  }

  /// "0951:1666"
  public var identity: String { hexadecimal(vendor) + ":" + hexadecimal(product) }

  /// "0951:1666 Kingston DataTraveler (bus 1, address 4, port 1.3)"
  public var description: String {
    "\(identity)\(name.isEmpty ? "" : " ")\(name) (bus \(bus), address \(address), port \(port))"
  }

  /// What its device node is called.
  public var node: String { "/dev/bus/usb/" + decimal(bus) + "/" + decimal(address) }

  private func hexadecimal(_ number: UInt16) -> String { padded(String(number, radix: 16), to: 4) }
  private func decimal(_ number: Int) -> String { padded(String(number), to: 3) }
  private func padded(_ text: String, to count: Int) -> String {
    String(repeating: "0", count: max(0, count - text.count)) + text
  }
}

/// One of a device's configurations.
public struct HostUSBConfiguration: Sendable, Equatable {
  /// bConfigurationValue
  public var value: UInt8
  /// All alternate settings of all interfaces.
  public var interfaces: [HostUSBInterface]
  public init(value: UInt8, interfaces: [HostUSBInterface]) {
    (self.value, self.interfaces) = (value, interfaces)
  }
}

/// An alternate setting of an interface.
public struct HostUSBInterface: Sendable, Equatable {
  public var number: UInt8
  public var alternate: UInt8
  public var endpoints: [HostUSBEndpoint]
  public init(number: UInt8, alternate: UInt8, endpoints: [HostUSBEndpoint]) {
    (self.number, self.alternate, self.endpoints) = (number, alternate, endpoints)
  }
}

/// An endpoint's descriptor.
public struct HostUSBEndpoint: Sendable, Equatable {
  /// bEndpointAddress: the number, and bit 7 for IN.
  public var address: UInt8
  /// The transfer type of bmAttributes: 0 control, 1 isochronous, 2 bulk, 3 interrupt.
  public var kind: UInt8
  public var maxPacketSize: UInt16
  public var interval: UInt8
  public init(address: UInt8, kind: UInt8, maxPacketSize: UInt16, interval: UInt8) {
    (self.address, self.kind, self.maxPacketSize, self.interval) = (
      address, kind & 3, maxPacketSize, interval
    )
  }
}
