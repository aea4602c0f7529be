"""The part of Shopify's GraphQL Admin API that the simulator plays, in the schema language.

Owns: names, types, nullability and arguments, as Shopify publishes them. Fields that Shopify has
and this has not are answered like unknown ones: add them here and in shopify_shape.py when a client
needs them. Connections, their edges and PageInfo are made of their names (graphql.py).
"""

SCHEMA = """
type QueryRoot {
  order(id: ID!): Order
  refund(id: ID!): Refund
  fulfillment(id: ID!): Fulfillment
  orders(first: Int last: Int after: String before: String reverse: Boolean
    sortKey: OrderSortKeys query: String savedSearchId: ID): OrderConnection!
  shop: Shop!
  webhookSubscriptions(first: Int last: Int after: String before: String reverse: Boolean
    sortKey: WebhookSubscriptionSortKeys query: String callbackUrl: URL uri: String
    format: WebhookSubscriptionFormat
    topics: [WebhookSubscriptionTopic!]): WebhookSubscriptionConnection!
}
type Mutation {
  webhookSubscriptionCreate(topic: WebhookSubscriptionTopic!
    webhookSubscription: WebhookSubscriptionInput!): WebhookSubscriptionCreatePayload
}
enum OrderSortKeys { CREATED_AT ID PROCESSED_AT UPDATED_AT }
enum WebhookSubscriptionSortKeys { CREATED_AT ID }
enum WebhookSubscriptionFormat { JSON XML }
enum WebhookSubscriptionTopic { APP_UNINSTALLED ORDERS_CANCELLED ORDERS_CREATE ORDERS_DELETE
  ORDERS_EDITED ORDERS_FULFILLED ORDERS_PAID ORDERS_PARTIALLY_FULFILLED ORDERS_UPDATED
  ORDER_TRANSACTIONS_CREATE REFUNDS_CREATE FULFILLMENTS_CREATE FULFILLMENTS_UPDATE }
input WebhookSubscriptionInput {
  callbackUrl: URL
  uri: String
  format: WebhookSubscriptionFormat
  includeFields: [String!]
  filter: String
  metafieldNamespaces: [String!]
  name: String
}
type WebhookSubscriptionCreatePayload {
  userErrors: [UserError!]!
  webhookSubscription: WebhookSubscription
}
type UserError { field: [String!] message: String! }
type WebhookSubscription {
  id: ID! legacyResourceId: UnsignedInt64! topic: String! uri: String! callbackUrl: URL!
  format: String! filter: String includeFields: [String!]! metafieldNamespaces: [String!]!
  name: String createdAt: DateTime! updatedAt: DateTime! apiVersion: ApiVersion!
  endpoint: WebhookSubscriptionEndpoint!
}
type ApiVersion { handle: String! displayName: String! supported: Boolean! }
type WebhookHttpEndpoint { callbackUrl: URL! }
union WebhookSubscriptionEndpoint = WebhookHttpEndpoint
type Shop {
  id: ID! name: String! myshopifyDomain: String! currencyCode: String! ianaTimezone: String!
  timezoneAbbreviation: String! timezoneOffset: String! timezoneOffsetMinutes: Int!
  taxesIncluded: Boolean!
}
type MoneyV2 { amount: Decimal! currencyCode: String! }
type MoneyBag { shopMoney: MoneyV2! presentmentMoney: MoneyV2! }
type Attribute { key: String! value: String }
type TaxLine {
  title: String! rate: Float ratePercentage: Float priceSet: MoneyBag! channelLiable: Boolean
  source: String
}
type DiscountApplication {
  index: Int! allocationMethod: String! targetSelection: String! targetType: String!
}
type DiscountAllocation {
  allocatedAmountSet: MoneyBag! discountApplication: DiscountApplication!
}
type Duty {
  id: ID! price: MoneyBag! taxLines: [TaxLine!]! harmonizedSystemCode: String
  countryCodeOfOrigin: String
}
type AdditionalFee { id: ID! name: String! price: MoneyBag! taxLines: [TaxLine!]! }
type Product { id: ID! title: String! productType: String! vendor: String! }
type ProductVariant { id: ID! title: String! sku: String }
type LineItem {
  id: ID! title: String! name: String! variantTitle: String sku: String vendor: String
  quantity: Int! currentQuantity: Int! refundableQuantity: Int! unfulfilledQuantity: Int!
  isGiftCard: Boolean! taxable: Boolean! requiresShipping: Boolean!
  originalUnitPriceSet: MoneyBag! originalTotalSet: MoneyBag! totalDiscountSet: MoneyBag!
  taxLines(first: Int): [TaxLine!]! discountAllocations: [DiscountAllocation!]!
  duties: [Duty!]! product: Product variant: ProductVariant customAttributes: [Attribute!]!
}
type ShippingLine {
  id: ID title: String! code: String source: String carrierIdentifier: String custom: Boolean!
  isRemoved: Boolean! originalPriceSet: MoneyBag! discountedPriceSet: MoneyBag!
  taxLines: [TaxLine!]! discountAllocations: [DiscountAllocation!]!
}
type OrderTransaction {
  id: ID! kind: String! status: String! gateway: String formattedGateway: String
  amountSet: MoneyBag! amountRoundingSet: MoneyBag createdAt: DateTime! processedAt: DateTime
  test: Boolean! paymentId: String parentTransaction: OrderTransaction
}
type RefundLineItem {
  id: ID lineItem: LineItem! quantity: Int! restockType: String! restocked: Boolean!
  priceSet: MoneyBag! subtotalSet: MoneyBag! totalTaxSet: MoneyBag!
}
type RefundShippingLine {
  id: ID! shippingLine: ShippingLine! subtotalAmountSet: MoneyBag! taxAmountSet: MoneyBag!
}
type RefundDuty { amountSet: MoneyBag! originalDuty: Duty }
type OrderAdjustment {
  id: ID! amountSet: MoneyBag! taxAmountSet: MoneyBag! reason: String
}
type Refund {
  id: ID! legacyResourceId: UnsignedInt64! createdAt: DateTime updatedAt: DateTime! note: String
  processedAt: DateTime! order: Order!
  totalRefundedSet: MoneyBag! duties: [RefundDuty!]
  refundLineItems(first: Int last: Int after: String before: String
    reverse: Boolean): RefundLineItemConnection!
  refundShippingLines(first: Int last: Int after: String before: String
    reverse: Boolean): RefundShippingLineConnection!
  orderAdjustments(first: Int last: Int after: String before: String
    reverse: Boolean): OrderAdjustmentConnection!
  transactions(first: Int last: Int after: String before: String
    reverse: Boolean): OrderTransactionConnection!
}
type FulfillmentTrackingInfo { company: String number: String url: URL }
type FulfillmentLineItem { id: ID! lineItem: LineItem! quantity: Int }
type Fulfillment {
  id: ID! legacyResourceId: UnsignedInt64! name: String! status: String! createdAt: DateTime!
  updatedAt: DateTime! totalQuantity: Int! order: Order! trackingInfo(first: Int): [FulfillmentTrackingInfo!]!
  fulfillmentLineItems(first: Int last: Int after: String before: String
    reverse: Boolean): FulfillmentLineItemConnection!
}
type MailingAddress {
  id: ID! firstName: String lastName: String name: String company: String address1: String
  address2: String city: String province: String provinceCode: String zip: String country: String
  countryCodeV2: String phone: String
}
type CustomerEmailAddress { emailAddress: String! }
type CustomerPhoneNumber { phoneNumber: String! }
type Customer {
  id: ID! legacyResourceId: UnsignedInt64! firstName: String lastName: String
  displayName: String! defaultEmailAddress: CustomerEmailAddress
  defaultPhoneNumber: CustomerPhoneNumber taxExempt: Boolean! note: String
  defaultAddress: MailingAddress
}
type Company { id: ID! name: String! externalId: String }
type CompanyLocation { id: ID! name: String! externalId: String }
type PurchasingCompany { company: Company! location: CompanyLocation! }
union PurchasingEntity = Customer | PurchasingCompany
type PaymentSchedule {
  id: ID! amount: MoneyV2! issuedAt: DateTime dueAt: DateTime completedAt: DateTime
}
type PaymentTerms {
  id: ID! paymentTermsName: String! paymentTermsType: String! dueInDays: Int
  paymentSchedules(first: Int last: Int after: String before: String
    reverse: Boolean): PaymentScheduleConnection!
}
type CashRoundingAdjustment { paymentSet: MoneyBag! refundSet: MoneyBag! }
type OrderApp { id: ID! name: String! }
type Order {
  id: ID! legacyResourceId: UnsignedInt64! name: String! number: Int! confirmationNumber: String
  createdAt: DateTime! processedAt: DateTime! updatedAt: DateTime! cancelledAt: DateTime
  closedAt: DateTime closed: Boolean! cancelReason: String test: Boolean! edited: Boolean!
  taxesIncluded: Boolean! taxExempt: Boolean! estimatedTaxes: Boolean! dutiesIncluded: Boolean!
  currencyCode: String! presentmentCurrencyCode: String! displayFinancialStatus: String
  displayFulfillmentStatus: String! fullyPaid: Boolean! unpaid: Boolean! tags: [String!]!
  note: String email: String phone: String poNumber: String sourceName: String
  sourceIdentifier: String customerLocale: String paymentGatewayNames: [String!]!
  discountCodes: [String!]! customAttributes: [Attribute!]! customer: Customer
  billingAddress: MailingAddress shippingAddress: MailingAddress
  purchasingEntity: PurchasingEntity paymentTerms: PaymentTerms merchantOfRecordApp: OrderApp
  totalPriceSet: MoneyBag! originalTotalPriceSet: MoneyBag! currentTotalPriceSet: MoneyBag!
  subtotalPriceSet: MoneyBag currentSubtotalPriceSet: MoneyBag! totalTaxSet: MoneyBag
  currentTotalTaxSet: MoneyBag! totalDiscountsSet: MoneyBag currentTotalDiscountsSet: MoneyBag!
  totalShippingPriceSet: MoneyBag! totalOutstandingSet: MoneyBag! totalTipReceivedSet: MoneyBag!
  originalTotalDutiesSet: MoneyBag currentTotalDutiesSet: MoneyBag
  originalTotalAdditionalFeesSet: MoneyBag currentTotalAdditionalFeesSet: MoneyBag
  totalCashRoundingAdjustment: CashRoundingAdjustment! additionalFees: [AdditionalFee!]!
  taxLines: [TaxLine!]!
  discountApplications(first: Int last: Int after: String before: String
    reverse: Boolean): DiscountApplicationConnection!
  lineItems(first: Int last: Int after: String before: String
    reverse: Boolean): LineItemConnection!
  shippingLines(first: Int last: Int after: String before: String reverse: Boolean
    includeRemovals: Boolean): ShippingLineConnection!
  refunds(first: Int): [Refund!]!
  fulfillments(first: Int query: String): [Fulfillment!]!
  transactions(first: Int capturable: Boolean manuallyResolvable: Boolean): [OrderTransaction!]!
}
"""
