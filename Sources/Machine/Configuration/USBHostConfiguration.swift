// SPDX-License-Identifier: GPL-2.0-or-later

import HostUSB
import OptionSyntax
import USB

/// `-device usb-host`: which device of the host, and what becomes of the guest's resets.
public struct USBHostConfiguration: Sendable, Equatable {
  /// Which device.
  public let filter: HostUSBFilter
  /// Which resets reach it.
  public let resets: USBHostDevice.Resets

  init(_ list: inout PropertyList) throws(OptionError) {
    let option = list.option
    var filter = HostUSBFilter(
      vendor: try list.takeInteger("vendorid", in: 0...0xFFFF).map { UInt16($0) },
      product: try list.takeInteger("productid", in: 0...0xFFFF).map { UInt16($0) },
      bus: try list.takeInteger("hostbus", in: 1...255),
      address: try list.takeInteger("hostaddr", in: 1...255),
      port: list.take("hostport"))
    if let node = list.take("hostdevice") {
      guard filter.isEmpty else {
        throw OptionError("\(option): hostdevice= says all; give no vendorid=, hostbus= … beside it")
      }
      let parts = node.split(separator: "/", omittingEmptySubsequences: false)
      guard parts.count == 6, node.hasPrefix("/dev/bus/usb/"), let bus = Int(parts[4]),
        let address = Int(parts[5])
      else { throw OptionError("\(option): hostdevice=\(node) must be such as /dev/bus/usb/001/004") }
      filter = HostUSBFilter(bus: bus, address: address)
    }
    guard !filter.isEmpty else {
      throw OptionError(
        "\(option): which device of the host? Give vendorid= and productid=, or hostbus= and hostaddr= or hostport=;"
          + " 'lsusb' lists them")
    }
    self.filter = filter
    let isReset = try list.takeFlag("guest-reset") ?? true
    resets = try list.takeFlag("guest-resets-all") ?? false ? .all : isReset ? .used : .none
    // How QEMU is to hurry, which we always do.
    _ = try list.takeFlag("pipeline")
  }
}
