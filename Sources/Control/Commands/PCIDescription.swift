// SPDX-License-Identifier: GPL-2.0-or-later

import JSON
import Machine
import PCI

/// The PCI bus as `query-pci` tells it.
enum PCIDescription {
  private static let region = SchemaType.members(
    .required("bar", .integer), .required("type", .enumeration(["io", "memory"])),
    .required("address", .integer), .required("size", .integer), .optional("prefetch", .boolean),
    .optional("mem_type_64", .boolean))

  private static let device = SchemaType.members(
    .required("bus", .integer), .required("slot", .integer), .required("function", .integer),
    .required("class_info", .members(.optional("desc", .string), .required("class", .integer))),
    .required(
      "id",
      .members(
        .required("device", .integer), .required("vendor", .integer), .optional("subsystem", .integer),
        .optional("subsystem-vendor", .integer))),
    .optional("irq", .integer), .required("irq_pin", .integer), .required("qdev_id", .string),
    .required("regions", .array(region)))

  static let schema = SchemaType.array(
    .members(.required("bus", .integer), .required("devices", .array(device))))

  static func value(of machine: Machine) -> JSONValue {
    [["bus": 0, "devices": .array(machine.pciFunctions.map { value(of: $0, in: machine) })]]
  }

  private static func value(of function: PCIFunction, in machine: Machine) -> JSONValue {
    let identity = function.identity
    let classCode = identity.classCode >> 8
    var members: [JSONValue.Member] = [
      .init("irq_pin", JSONValue(Int(function.interruptPin))), .init("bus", 0),
    ]
    if function.interruptPin != 0 {
      members.append(
        .init("irq", JSONValue(Int(function[PCIConfigurationOffset.interruptLine, as: UInt8.self]))))
    }
    members += [
      .init("qdev_id", .string(machine.deviceID(at: function.address) ?? "")),
      .init("slot", JSONValue(function.address.device)),
      .init("class_info", ["class": JSONValue(Int(classCode)), "desc": .string(name(ofClass: classCode))]),
      .init(
        "id",
        [
          "device": JSONValue(Int(identity.device)), "vendor": JSONValue(Int(identity.vendor)),
          "subsystem": JSONValue(Int(function[0x2E, as: UInt16.self])),
          "subsystem-vendor": JSONValue(Int(function[0x2C, as: UInt16.self])),
        ]),
      .init("function", JSONValue(function.address.function)),
      .init("regions", .array(function.regions.map(value))),
    ]
    return .object(members)
  }

  private static func value(of region: PCIFunction.Region) -> JSONValue {
    let address: JSONValue = region.base.map { JSONValue($0) } ?? -1
    guard region.isMemory else {
      return [
        "bar": JSONValue(region.index), "size": JSONValue(region.byteCount), "address": address, "type": "io",
      ]
    }
    return [
      "prefetch": .bool(region.isPrefetchable), "mem_type_64": .bool(region.is64Bit),
      "bar": JSONValue(region.index), "size": JSONValue(region.byteCount), "address": address,
      "type": "memory",
    ]
  }

  /// Names of PCI classes (PCI code and ID assignment specification).
  static func name(ofClass code: UInt32) -> String {
    switch code {
    case 0x0100: "SCSI controller"
    case 0x0101: "IDE controller"
    case 0x0200: "Ethernet controller"
    case 0x0300: "VGA controller"
    case 0x0600: "Host bridge"
    case 0x0601: "ISA bridge"
    case 0x0604: "PCI bridge"
    case 0x0680: "Bridge"
    case 0x0C03: "USB controller"
    default: "Class \(String(code, radix: 16))"
    }
  }
}
