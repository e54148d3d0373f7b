"""The function's role as template.yaml grants it: whether it may send a request, as IAM evaluates that.

Which resource and which condition keys a request has follows the service authorization reference, not the product.
"""

import re
from pathlib import Path
from urllib.parse import parse_qs

from cfnlint.decode.cfn_yaml import load

TEMPLATE = Path(__file__).parents[2] / "template.yaml"
REGION = "us-east-1"
# The function signs with it, which distinguishes its requests from those of the tests.
ACCESS_KEY = "function"


def is_like(pattern, found):
    escaped = re.escape(str(pattern)).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(escaped, found, re.DOTALL) is not None


def is_met(operator, expected, found):
    """One condition on one key, as IAM evaluates it; a key that a request does not have is an empty list."""
    if operator == "Null":
        return (expected[0] == "true") == (not found)
    quantifier, _, comparison = operator.rpartition(":")
    equals = {"StringEquals": str.__eq__, "StringLike": is_like, "Bool": str.__eq__}[comparison]
    matches = [any(equals(pattern, one) for pattern in expected) for one in found]
    if quantifier == "ForAllValues":
        return all(matches)
    if quantifier == "ForAnyValue":
        return any(matches)
    return bool(matches) and all(matches)


class Role:
    """The statements of the function's policy under some of the template's conditions."""

    def __init__(self, account, conditions=(), **names):
        places = {"AWS::Partition": "aws", "AWS::Region": REGION, "AWS::AccountId": account}
        self.names = places | names
        properties = load(TEMPLATE)["Resources"]["AlarmFunction"]["Properties"]
        (policy,) = properties["Policies"]
        self.statements = list(self.effective(policy["Statement"], conditions))

    def effective(self, statements, conditions):
        for one in statements:
            if "Fn::If" in one:
                condition, one, _ = one["Fn::If"]
                if condition not in conditions:
                    continue
            yield one

    def plain(self, value):
        """A text of a statement as CloudFormation writes it."""
        if not isinstance(value, dict):
            return value
        ((function, argument),) = value.items()
        if function == "Ref":
            return self.names.get(argument, argument)
        if function == "Fn::Sub":
            return re.sub(r"\$\{([^}]+)\}", lambda name: self.names.get(name[1], name[1]), argument)
        glue, split = argument
        apart, whole = split["Fn::Split"]
        assert function == "Fn::Join", f"expected Ref, Fn::Sub or Fn::Join, found {function}"
        return glue.join(self.plain(whole).split(apart))

    def many(self, value):
        return [self.plain(one) for one in (value if isinstance(value, list) else [value])]

    def allows(self, action, resource, context):
        """Whether any statement allows it. There are no denying ones."""
        return any(self.applies(one, action, resource, context) for one in self.statements)

    def applies(self, statement, action, resource, context):
        return (
            any(is_like(pattern, action) for pattern in self.many(statement["Action"]))
            and any(is_like(pattern, resource) for pattern in self.many(statement["Resource"]))
            and all(
                is_met(operator, self.many(expected), context.get(key, []))
                for operator, keys in statement.get("Condition", {}).items()
                for key, expected in keys.items()
            )
        )


class Gate:
    """Refuses the function's requests that its role does not allow, once it has a role."""

    def __init__(self, account):
        self.account, self.role, self.refused = account, None, []

    def grant(self, conditions, **names):
        self.role = Role(self.account, conditions, **names)

    def refusal(self, request):
        """The status and the error of a request that is not allowed, or None."""
        if self.role is None or f"Credential={ACCESS_KEY}/" not in request.headers.get("Authorization", ""):
            return None
        for action, resource, context in needs(request, self.account):
            if not self.role.allows(action, resource, context):
                message = f"User: {ACCESS_KEY} is not authorized to perform: {action} on resource: {resource}"
                # No role of this account allows what belongs to another: a sample names one.
                if resource == "*" or f":{self.account}:" in resource:
                    self.refused.append(message)
                if request.service in ("cloudwatch", "sns"):
                    return 403, {"__type": "AccessDenied", "message": message}
                return 400, {"__type": "AccessDeniedException", "message": message}
        return None


def needs(request, account):
    """The action, the resource and the condition keys of a request, for each resource that it is about."""
    service, operation, body = request.service, request.operation, parameters(request)
    action = f"{service}:{operation}"

    def arn(name):
        return f"arn:aws:{service}:{REGION}:{account}:{name}"

    keys = body.get("TagKeys") or [tag["Key"] for tag in body.get("Tags") or []]
    if "ResourceArn" in body:
        return [(action, body["ResourceArn"], {"aws:TagKeys": keys})]
    if service == "sagemaker":
        named = [("endpoint", "EndpointName"), ("endpoint-config", "EndpointConfigName")]
        found = [(action, arn(f"{kind}/{body[key]}"), {"aws:TagKeys": keys}) for kind, key in named if key in body]
        tagged = [("sagemaker:AddTags", resource, context) for _, resource, context in found if keys]
        return found + tagged or [(action, "*", {})]
    if operation == "PutMetricAlarm":
        called = {"cloudwatch:AlarmActions": body.get("AlarmActions") or []}
        return [(action, arn(f"alarm:{body['AlarmName']}"), called)]
    if operation == "DeleteAlarms":
        return [(action, arn(f"alarm:{name}"), {}) for name in body["AlarmNames"]]
    if operation == "GetParameter":
        name = body["Name"]
        return [(action, name if name.startswith("arn:") else arn(f"parameter/{name.lstrip('/')}"), {})]
    if operation == "Publish":
        return [(action, body["TopicArn"], {})]
    if service == "application-autoscaling" and not operation.startswith("Describe"):
        scope = {"service-namespace": "ServiceNamespace", "scalable-dimension": "ScalableDimension"}
        context = {f"{service}:{name}": [body[key]] for name, key in scope.items()}
        return [(action, arn("scalable-target/x"), context)]
    return [(action, "*", {})]


def parameters(request):
    """The body as values, also where it is a form."""
    if request.content_type == "application/x-www-form-urlencoded":
        return {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
    return request.decoded or {}
