// SPDX-License-Identifier: GPL-2.0-or-later

/// Which device of the host is meant: all that is said must be true of it.
public struct HostUSBFilter: Sendable, Equatable {
  public var vendor: UInt16?
  public var product: UInt16?
  public var bus: Int?
  public var address: Int?
  /// "2", or "1.3" behind a hub.
  public var port: String?

  /// Any device.
  public init(
    vendor: UInt16? = nil, product: UInt16? = nil, bus: Int? = nil, address: Int? = nil, port: String? = nil
  ) {
    (self.vendor, self.product, self.bus, self.address, self.port) = (vendor, product, bus, address, port)
  }

  /// Whether nothing is said.
  public var isEmpty: Bool { self == HostUSBFilter() }

  private func agreements(_ facts: HostUSBFacts) -> [Bool] {
    [
      vendor.map { $0 == facts.vendor }, product.map { $0 == facts.product }, bus.map { $0 == facts.bus },
      address.map { $0 == facts.address }, port.map { $0 == facts.port },
    ].compactMap { $0 }
  }

  /// Whether a device is meant. Hubs never are: what is behind them is the host's.
  func matches(_ facts: HostUSBFacts) -> Bool { !facts.isHub && agreements(facts).allSatisfy { $0 } }

  /// The option that says it.
  public var description: String {
    var parts: [String] = []
    if let vendor { parts.append("vendorid=0x\(String(vendor, radix: 16))") }
    if let product { parts.append("productid=0x\(String(product, radix: 16))") }
    if let bus { parts.append("hostbus=\(bus)") }
    if let address { parts.append("hostaddr=\(address)") }
    if let port { parts.append("hostport=\(port)") }
    return parts.joined(separator: ",")
  }

  /// A sentence for when none of these devices is meant.
  func complaint(among devices: [HostUSBFacts]) -> String {
    let usable = devices.filter { !$0.isHub }
    guard !usable.isEmpty else { return "there is no USB device on this host that a guest could have" }
    if devices.contains(where: { $0.isHub && agreements($0).allSatisfy { $0 } }) {
      return "\(description) is a hub; a guest can have only what is plugged into it"
    }
    let near = usable.filter { agreements($0).contains(true) }
    let shown = (near.isEmpty ? usable : near).prefix(Self.shownCount).map(\.description)
    return "there is no USB device with \(description) on this host; there "
      + (shown.count == 1 ? "is " : "are ") + shown.joined(separator: ", ")
  }

  private static let shownCount = 8
}
